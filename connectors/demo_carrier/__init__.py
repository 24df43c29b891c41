"""The pretend carrier: OAuth client credentials, an event feed with Link headers. Read only."""
