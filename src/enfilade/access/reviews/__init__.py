"""Access reviews: campaigns in which somebody else looks at who may do what."""
