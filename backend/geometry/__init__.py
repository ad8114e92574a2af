"""Geometry, colour and light that every other room stands on; imports nothing of the project."""
