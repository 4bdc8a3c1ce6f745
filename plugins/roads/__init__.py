"""Road services (*voirie*): works and closures, defects, reserved accesses, and how fast the service is there."""
