from .gaussian_process import ProposalModel as ProposalModel
from .optimizer import (
    Evaluator as Evaluator,
)
from .optimizer import (
    EvaluatorFactory as EvaluatorFactory,
)
from .optimizer import (
    Trial as Trial,
)
from .optimizer import (
    best_by_descriptor as best_by_descriptor,
)
from .optimizer import (
    best_trial as best_trial,
)
from .optimizer import (
    open_trial_log as open_trial_log,
)
from .optimizer import (
    search_configurations as search_configurations,
)
from .optimizer import (
    search_jointly as search_jointly,
)
from .optimizer import (
    trials_table as trials_table,
)
from .optimizer import (
    without_autoencoders as without_autoencoders,
)
from .pareto import (
    OBJECTIVES as OBJECTIVES,
)
from .pareto import (
    GeneticModel as GeneticModel,
)
from .pareto import (
    hypervolume as hypervolume,
)
from .pareto import (
    hypervolumes as hypervolumes,
)
from .pareto import (
    pareto_front as pareto_front,
)
from .pareto import (
    pareto_knee as pareto_knee,
)
from .pareto import (
    scalarize as scalarize,
)
from .pipeline import (
    Outcome as Outcome,
)
from .pipeline import (
    cluster_cells as cluster_cells,
)
from .pipeline import (
    column_labels as column_labels,
)
from .pipeline import (
    cross_fitted_outcome as cross_fitted_outcome,
)
from .pipeline import (
    effective_parameters as effective_parameters,
)
from .pipeline import (
    evaluate_configuration as evaluate_configuration,
)
from .pipeline import (
    judged_map as judged_map,
)
from .pipeline import (
    label_map as label_map,
)
from .pipeline import (
    name_labels as name_labels,
)
from .pipeline import (
    resampling_stability as resampling_stability,
)
from .preparation import (
    PreparedImage as PreparedImage,
)
from .preparation import (
    SharedWork as SharedWork,
)
from .preparation import (
    cell_descriptors as cell_descriptors,
)
from .preparation import (
    cell_vectors as cell_vectors,
)
from .preparation import (
    cell_windows as cell_windows,
)
from .preparation import (
    prepare_image as prepare_image,
)
from .preparation import (
    transfer_to_cells as transfer_to_cells,
)
from .sensitivity import (
    column_landscape as column_landscape,
)
from .sensitivity import (
    parameter_importance as parameter_importance,
)
from .sensitivity import (
    total_landscape as total_landscape,
)
from .sensitivity import (
    window_landscape as window_landscape,
)
from .space import (
    AUTOENCODER_CHOICES as AUTOENCODER_CHOICES,
)
from .space import (
    PARAMETERS as PARAMETERS,
)
from .space import (
    RUN_PARAMETERS as RUN_PARAMETERS,
)
from .space import (
    Parameter as Parameter,
)
from .space import (
    SearchPlan as SearchPlan,
)
from .space import (
    Value as Value,
)
from .space import (
    check_parameters as check_parameters,
)
from .space import (
    complete_parameters as complete_parameters,
)
from .space import (
    default_parameters as default_parameters,
)
from .space import (
    format_value as format_value,
)
from .space import (
    parameter as parameter,
)
from .space import (
    parameter_names as parameter_names,
)
from .space import (
    parse_parameters as parse_parameters,
)
from .space import (
    searched_parameters as searched_parameters,
)
from .successive_halving import (
    LATENT_CLUSTERINGS as LATENT_CLUSTERINGS,
)
from .successive_halving import (
    RUNGS as RUNGS,
)
from .successive_halving import (
    latent_outputs as latent_outputs,
)
from .successive_halving import (
    n_halving_trials as n_halving_trials,
)
from .successive_halving import (
    preferred_autoencoder as preferred_autoencoder,
)
from .successive_halving import (
    search_autoencoders as search_autoencoders,
)
from .trial_log import TrialLog as TrialLog
