"""How good is a reconstruction: metrics with their convention, tables, verdict, figures, report. No torch, no Qt."""
