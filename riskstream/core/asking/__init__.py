"""What people and programs ask and are told: labels, reviews, notices, pages, who may ask and how often."""
