"""What the server of the APIs carries, and what attacks on it cost those who are honest."""
