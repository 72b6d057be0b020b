"""What is logged of a run or of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from matplotlib.figure import Figure

from xentexp.experiments._report.pictures.drawing import Drawing, Pixels, pixels


@dataclass(frozen=True)
class Artifacts:
    """Texts of files by their names, and images by their keys."""

    files: dict[str, str] = field(default_factory=dict)
    images: dict[str, Pixels] = field(default_factory=dict)

    def draw(self, drawing: Drawing, key: str | None = None, image: Figure | None = None) -> None:
        """Add a drawing as a file; with a key, also as an image, by default of its only figure."""
        self.files[drawing.name] = drawing.to_svg()
        if key is not None:
            self.images[key] = pixels(drawing.figures[0] if image is None else image)
