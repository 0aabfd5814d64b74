"""The tests of the template: a folder for each subpackage, and `support` for shared helpers."""
