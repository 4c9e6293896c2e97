from .anomalies import (
    ANOMALY_LIMIT as ANOMALY_LIMIT,
)
from .anomalies import (
    Anomalies as Anomalies,
)
from .anomalies import (
    anomaly_table as anomaly_table,
)
from .anomalies import (
    find_anomalies as find_anomalies,
)
from .disentanglement import (
    align_latents as align_latents,
)
from .disentanglement import (
    disentanglement_score as disentanglement_score,
)
from .disentanglement import (
    explained_share as explained_share,
)
from .disentanglement import (
    factor_table as factor_table,
)
from .disentanglement import (
    known_quantities as known_quantities,
)
from .disentanglement import (
    principal_components as principal_components,
)
from .disentanglement import (
    rotate_latents as rotate_latents,
)
from .manifold import decode_manifold as decode_manifold
from .manifold import widest_latents as widest_latents
from .model import (
    INVARIANCES as INVARIANCES,
)
from .model import (
    MIN_EXPLAINED as MIN_EXPLAINED,
)
from .model import (
    SCHEDULES as SCHEDULES,
)
from .model import (
    VAE as VAE,
)
from .model import (
    VAESettings as VAESettings,
)
from .model import (
    load_vae as load_vae,
)
from .model import (
    require_vae as require_vae,
)
from .model import (
    vae_available as vae_available,
)
from .networks import (
    PIXELS as PIXELS,
)
from .networks import (
    Training as Training,
)
from .networks import (
    read_network as read_network,
)
from .networks import (
    write_network as write_network,
)
from .training import (
    independent_axes as independent_axes,
)
from .training import (
    settings_of as settings_of,
)
from .training import (
    trained_vae as trained_vae,
)
from .walls import sign_maps as sign_maps
from .walls import sign_walls as sign_walls
