"""The regressor from contours to expression: random heads, their landmarks, what is learnt."""
