"""Pictures of curves: points in, a picture out. Nothing here knows what a schedule is."""
