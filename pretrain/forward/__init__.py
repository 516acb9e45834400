"""The trainer of the feed-forward start: from a text to a small picture in one pass."""
