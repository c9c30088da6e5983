"""What makes the labs a course: routes through them, a quiz for each chapter, and what a learner has done."""
