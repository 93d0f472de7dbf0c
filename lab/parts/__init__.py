"""What the lab needs from outside, locked here and cached outside the checkout."""
