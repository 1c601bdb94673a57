python3 work.py
