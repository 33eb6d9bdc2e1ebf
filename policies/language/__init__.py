"""The language: files, rules and options to rules, the canonical form, and its schema."""
