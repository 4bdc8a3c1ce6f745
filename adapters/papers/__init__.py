"""The printed side of the post: shift log, handover sheet, and the nightly pack for when all screens are dark."""
