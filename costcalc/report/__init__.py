"""Documents that people read: architectures, comparisons and papers, with tables, charts and diagrams."""
