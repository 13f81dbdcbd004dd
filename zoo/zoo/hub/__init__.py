"""The Hugging Face Hub: look before downloading, download once, believe nothing unverified."""
