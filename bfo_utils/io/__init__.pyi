from .arrays import load_arrays as load_arrays
from .arrays import save_arrays as save_arrays
from .headers import ROOM as ROOM
from .headers import check_hdf5 as check_hdf5
from .images import (
    Image as Image,
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
from .readers import HEADER_CHECKS as HEADER_CHECKS
from .readers import PLUGINS as PLUGINS
from .readers import READERS as READERS
