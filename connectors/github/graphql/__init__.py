"""GraphQL as clients of GitHub send it: read, mapped to what policy knows, and printed anew."""
