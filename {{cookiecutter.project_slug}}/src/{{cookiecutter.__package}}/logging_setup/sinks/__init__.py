"""The sinks, one file each. What each takes is a record that `restore` has made."""
