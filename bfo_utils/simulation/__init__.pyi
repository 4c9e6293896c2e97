from .decoys import make_decoys as make_decoys
from .decoys import (
    stopped_maps as stopped_maps,
)
from .decoys import straight_wall_map as straight_wall_map
from .elasticity import (
    cell_gradient as cell_gradient,
)
from .elasticity import (
    compatible_displacement as compatible_displacement,
)
from .layouts import VARIANTS as VARIANTS
from .layouts import layout_names as layout_names
from .phantom import (
    Phantom as Phantom,
)
from .phantom import (
    Specimen as Specimen,
)
from .phantom import (
    Truth as Truth,
)
from .phantom import (
    film_specimen as film_specimen,
)
from .phantom import (
    load_truth as load_truth,
)
from .phantom import (
    save_phantom as save_phantom,
)
from .phantom import simulate_frames as simulate_frames
from .phantom import simulate_pair as simulate_pair
from .phantom import (
    simulate_phantom as simulate_phantom,
)
from .phantom import simulate_second as simulate_second
from .phantom import (
    true_label_map as true_label_map,
)
