"""What is logged of a run or of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from xentexp.experiments._report.pictures.drawing import Drawing, Pixels, pixels


@dataclass(frozen=True)
class Artifacts:
    """Texts of files by their names, and images by their keys."""

    files: dict[str, str] = field(default_factory=dict)
    images: dict[str, Pixels] = field(default_factory=dict)

    def draw(self, drawing: Drawing, key: str | None = None) -> None:
        """Add a drawing as a file, and its first figure as an image if there is a key."""
        self.files[drawing.name] = drawing.to_svg()
        if key is not None:
            self.images[key] = pixels(drawing.figures[0])
