"""greening"""
