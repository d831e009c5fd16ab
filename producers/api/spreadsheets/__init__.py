"""Rows for spreadsheets: CSV and Excel, written as the rows come, however many there are."""
