"""Pieces that a tokenizer, or a damaged recording, may give and that are hard to paint."""

ODD = [
    "",
    "\n",
    "<pad>",
    "<0xE2>",
    "\u202e",
    "👩‍👧",
    "שלום",
    "w" * 500,
    "\x00",
    "\t",
    "\ud800",
    "\udfff",
]
