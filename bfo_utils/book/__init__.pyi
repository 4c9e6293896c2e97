from .artifacts import Artifacts as Artifacts
from .artifacts import Features as Features
from .artifacts import Labels as Labels
from .build import (
    BookStep as BookStep,
)
from .build import (
    declared_parameters as declared_parameters,
)
from .build import (
    execute_step as execute_step,
)
from .build import (
    render_book as render_book,
)
from .build import (
    run_book as run_book,
)
from .checks import Mark as Mark
from .checks import check_answers as check_answers
from .checks import judge_answer as judge_answer
from .coding import CODING as CODING
from .coding import CodingExercise as CodingExercise
from .doctor import MachineCheck as MachineCheck
from .doctor import examine as examine
from .examples import EXAMPLES as EXAMPLES
from .examples import Example as Example
from .examples import fetch_example as fetch_example
from .exercises import (
    CHAPTERS as CHAPTERS,
)
from .exercises import (
    Exercise as Exercise,
)
from .exercises import (
    b_columns as b_columns,
)
from .exercises import (
    striped_map as striped_map,
)
from .stages import as_shown as as_shown
from .stages import repeat_command as repeat_command
from .stages import stage_durations as stage_durations
from .stages import with_tuned as with_tuned
from .workshop import (
    CHAPTER_NEEDS as CHAPTER_NEEDS,
)
from .workshop import (
    catch_up as catch_up,
)
from .workshop import (
    lay_out as lay_out,
)
from .workshop import (
    readable as readable,
)
