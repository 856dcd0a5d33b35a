"""The human documentation: one page of HTML, made from the OpenAPI document and nothing else."""
