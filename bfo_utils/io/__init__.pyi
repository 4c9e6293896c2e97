from .calibration import (
    AGREE as AGREE,
)
from .calibration import (
    PixelSize as PixelSize,
)
from .calibration import (
    by_lattice as by_lattice,
)
from .calibration import (
    checked_lattice_nm as checked_lattice_nm,
)
from .calibration import (
    checked_nm as checked_nm,
)
from .calibration import (
    implausible_cell as implausible_cell,
)
from .calibration import (
    meant as meant,
)
from .calibration import (
    pixel_size as pixel_size,
)
from .calibration import (
    unit_nm as unit_nm,
)
from .calibration import unit_text as unit_text
from .frames import average_frames as average_frames
from .frames import average_pair as average_pair
from .frames import displace_rows as displace_rows
from .given import GivenCell as GivenCell
from .given import read_cell as read_cell
from .given import read_positions as read_positions
from .given import region_pixels as region_pixels
from .hdf5 import opened as opened
from .headers import ROOM as ROOM
from .headers import check_hdf5 as check_hdf5
from .headers import check_tags as check_tags
from .images import (
    Image as Image,
)
from .images import (
    Reading as Reading,
)
from .images import (
    calibrated as calibrated,
)
from .images import (
    count_frames as count_frames,
)
from .images import (
    file_sha256 as file_sha256,
)
from .images import (
    image_from_array as image_from_array,
)
from .images import (
    read_image as read_image,
)
from .images import (
    repair_hot_pixels as repair_hot_pixels,
)
from .readers import PLUGINS as PLUGINS
from .readers import READERS as READERS
from .readers import Order as Order
from .readers import open_arrays as open_arrays
from .readers import without_reader_warnings as without_reader_warnings
from .stored import CHANNELS as CHANNELS
from .stored import StoredArray as StoredArray
from .stored import check_axes as check_axes
from .stored import choose as choose
from .stored import is_stack as is_stack
from .stored import load_arrays as load_arrays
from .stored import others as others
from .stored import save_arrays as save_arrays
from .stored import squeezed as squeezed
