"""Why there is a card, and why there is none, in words that a person checks with a calendar."""
