"""Adapters for other people's software: a file for each.

`greening.integrations` lists those that act by themselves, when the module that they belong to is imported.
"""
