"""A feed's message becomes a document, its entities and what it shows of itself. Knows no rule."""
