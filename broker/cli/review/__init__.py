"""What a person reads in the terminal before they say yes."""
