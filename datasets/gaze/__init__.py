"""From eye fixations to pseudo-masks, in the order of the method: fixations, heatmap, crf, levels, prepare."""
