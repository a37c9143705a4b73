"""What runs, cases and intervals come to: numbers and tables, without data sets or networks of this project."""
