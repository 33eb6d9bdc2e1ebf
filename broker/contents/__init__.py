"""Prompts and answers of models: kept where a project wants that, sealed, for a time, read on the record."""
