"""The tests of the template: a folder for each room, and `support` for what several of them need."""
