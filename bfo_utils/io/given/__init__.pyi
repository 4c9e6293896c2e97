from .cells import GivenCell as GivenCell
from .cells import read_cell as read_cell
from .positions import read_positions as read_positions
from .regions import region_pixels as region_pixels
