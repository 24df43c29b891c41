"""What people look at: published builds, one order on one screen, summaries, the dictionary."""
