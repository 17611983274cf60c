"""Tables and numbers, as the page writes them."""


def table(head, rows):
    aligned = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, aligned, *rows])


def span(values, decimals):
    """The smallest and the largest of them."""
    if not values:
        return "—"
    low, high = f"{min(values):,.{decimals}f}", f"{max(values):,.{decimals}f}"
    return low if low == high else f"{low} to {high}"
