"""What each system holds: documents projected from the events it hears, and changed by writes."""
