"""The pretend ERP: API key, numbered pages, naive local times, row versions."""
