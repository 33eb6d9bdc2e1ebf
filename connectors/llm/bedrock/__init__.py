"""Amazon Bedrock: its frames, its form of Anthropic's requests, its model ids."""
