//! The console (UX.md): a pure `app`, drivers that carry out its effects, drawing, keys, themes and the terminal.
