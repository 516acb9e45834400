"""From open data to shards: sources, captions, composed pictures, splits."""
