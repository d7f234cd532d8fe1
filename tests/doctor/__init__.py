"""Tests of the doctor, and its development exam."""
