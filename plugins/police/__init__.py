"""Municipal police: units on the streets, calls, officers' alarms, and who is there first."""
