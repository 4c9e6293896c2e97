from .cache import Cache as Cache
from .executors import (
    CONNECT_S as CONNECT_S,
)
from .executors import (
    Beside as Beside,
)
from .executors import (
    Dask as Dask,
)
from .executors import (
    Pool as Pool,
)
from .executors import (
    Processes as Processes,
)
from .executors import (
    WorkerDied as WorkerDied,
)
from .executors import (
    connect_pool as connect_pool,
)
from .executors import (
    in_order as in_order,
)
from .executors import (
    n_cores as n_cores,
)
from .executors import (
    on_one_thread as on_one_thread,
)
from .executors import (
    one_thread as one_thread,
)
from .files import (
    atomic as atomic,
)
from .files import (
    atomic_folder as atomic_folder,
)
from .files import (
    put_back as put_back,
)
from .files import (
    read_json as read_json,
)
from .files import (
    refuse_foreign as refuse_foreign,
)
from .files import (
    sweep as sweep,
)
from .files import (
    take_place as take_place,
)
from .files import (
    to_disk as to_disk,
)
from .files import (
    together as together,
)
from .files import (
    writable_names as writable_names,
)
from .files import (
    write_csv as write_csv,
)
from .files import (
    write_json as write_json,
)
from .files import (
    writing as writing,
)
from .installation import (
    install_command as install_command,
)
from .installation import (
    repository_url as repository_url,
)
from .installation import (
    require_extra as require_extra,
)
from .installation import (
    resource_path as resource_path,
)
from .isolation import (
    SAFE_PATH as SAFE_PATH,
)
from .isolation import (
    environment as environment,
)
from .isolation import (
    open_closed_streams as open_closed_streams,
)
from .isolation import (
    own_jupyter as own_jupyter,
)
from .locks import (
    HELPERS as HELPERS,
)
from .locks import (
    OWNER as OWNER,
)
from .locks import (
    helper_processes as helper_processes,
)
from .locks import (
    hold_lock as hold_lock,
)
from .locks import (
    join_run as join_run,
)
from .locks import (
    locked_folder as locked_folder,
)
from .tiles import (
    TILE_SIDE as TILE_SIDE,
)
from .tiles import (
    Tile as Tile,
)
from .tiles import (
    divide_into_tiles as divide_into_tiles,
)
from .tiles import (
    in_threads as in_threads,
)
from .tiles import (
    owned_by_tile as owned_by_tile,
)
from .tiles import (
    row_bands as row_bands,
)
from .tiles import use_threads as use_threads
from .transfer import PAUSES as PAUSES
from .transfer import Download as Download
from .transfer import body as body
from .transfer import partial as partial
