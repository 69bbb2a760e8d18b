"""Which third-party classes a card may name, and what neither their signatures nor their annotations say.

``python -m scripts.arguments`` makes the table from it.
"""

from __future__ import annotations

MODULE = "torch.nn.modules.module.Module"

# Left out of torch.nn: what takes functions, parameters or process groups (DataParallel, ParameterList, SyncBatchNorm,
# TripletMarginWithDistanceLoss); what has no parameters before its first batch (Lazy*); bases and what is deprecated
# (Container, NLLLoss2d, RNNBase, RNNCellBase); what the least torch that Runcard takes lacks (LinearCrossEntropyLoss);
# what is undocumented (CrossMapLRN2d).
LAYERS = """
AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d AdaptiveMaxPool2d
AdaptiveMaxPool3d AlphaDropout AvgPool1d AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d
BatchNorm3d Bilinear CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d
ConstantPad3d Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss CosineSimilarity
CrossEntropyLoss Dropout Dropout1d Dropout2d Dropout3d ELU Embedding EmbeddingBag FeatureAlphaDropout Flatten Fold
FractionalMaxPool2d FractionalMaxPool3d GELU GLU GRU GRUCell GaussianNLLLoss GroupNorm Hardshrink Hardsigmoid Hardswish
Hardtanh HingeEmbeddingLoss HuberLoss Identity InstanceNorm1d InstanceNorm2d InstanceNorm3d KLDivLoss L1Loss LPPool1d
LPPool2d LPPool3d LSTM LSTMCell LayerNorm LeakyReLU Linear LocalResponseNorm LogSigmoid LogSoftmax MSELoss
MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d Mish ModuleDict ModuleList
MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss MultiheadAttention NLLLoss PReLU PairwiseDistance
PixelShuffle PixelUnshuffle PoissonNLLLoss RMSNorm RNN RNNCell RReLU ReLU ReLU6 ReflectionPad1d ReflectionPad2d
ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU Sequential SiLU Sigmoid SmoothL1Loss
SoftMarginLoss Softmax Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold Transformer
TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer TripletMarginLoss Unflatten Unfold
Upsample UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d ZeroPad2d ZeroPad3d
"""
# LBFGS asks for the loss again within a step, SparseAdam and Muon take only parameters of one kind.
OPTIMIZERS = "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax NAdam RAdam RMSprop Rprop SGD"
# Those whose rate follows from the step alone; others take functions, schedules or a metric.
SCHEDULES = """
ConstantLR CosineAnnealingLR CosineAnnealingWarmRestarts CyclicLR ExponentialLR LinearLR MultiStepLR OneCycleLR
PolynomialLR StepLR
"""
# Left out: those named for no task (Accuracy), which make another class, and BinaryFairness and BinaryGroupStatRates,
# which ask for the group of each row.
BINARY = """
AUROC Accuracy AveragePrecision CalibrationError CohenKappa ConfusionMatrix EER F1Score FBetaScore HammingDistance
HingeLoss JaccardIndex LogAUC MatthewsCorrCoef NegativePredictiveValue Precision PrecisionAtFixedRecall
PrecisionRecallCurve ROC Recall RecallAtFixedPrecision SensitivityAtSpecificity Specificity SpecificityAtSensitivity
StatScores
"""
MULTICLASS = f"ExactMatch {BINARY}"
MULTILABEL = f"""
ExactMatch RankingAveragePrecision RankingLoss CoverageError
{" ".join(name for name in BINARY.split() if name not in ("CalibrationError", "CohenKappa", "HingeLoss"))}
"""
REGRESSION = """
ConcordanceCorrCoef ContinuousRankedProbabilityScore CosineSimilarity CriticalSuccessIndex ExplainedVariance
JensenShannonDivergence KLDivergence KendallRankCorrCoef LogCoshError MeanAbsoluteError MeanAbsolutePercentageError
MeanSquaredError MeanSquaredLogError MinkowskiDistance NormalizedRootMeanSquaredError PearsonCorrCoef R2Score
RelativeSquaredError SpearmanCorrCoef SymmetricMeanAbsolutePercentageError TweedieDevianceScore
WeightedMeanAbsolutePercentageError
"""
CALLBACKS = """
DeviceStatsMonitor EarlyStopping GradientAccumulationScheduler LearningRateMonitor ModelCheckpoint ModelSummary
RichModelSummary StochasticWeightAveraging Timer
"""
LOGGERS = "CSVLogger MLFlowLogger TensorBoardLogger WandbLogger"

# Package → its classes.
ALLOWED = {
    "torch.nn": LAYERS.split(),
    "torch.optim": OPTIMIZERS.split(),
    "torch.optim.lr_scheduler": SCHEDULES.split(),
    "torchmetrics.classification": [
        f"{task}{name}"
        for task, names in (("Binary", BINARY), ("Multiclass", MULTICLASS), ("Multilabel", MULTILABEL))
        for name in sorted(names.split())
    ],
    "torchmetrics.regression": REGRESSION.split(),
    "pytorch_lightning.callbacks": CALLBACKS.split(),
    "pytorch_lightning.loggers": LOGGERS.split(),
}
# Not to be named by a card; a user's class may inherit their constructors, and annotations name them.
ABSTRACT = {
    "torch.nn": ["Module"],
    "torch.optim": ["Optimizer"],
    "torch.optim.lr_scheduler": ["LRScheduler"],
    "torchmetrics": ["Metric"],
    "pytorch_lightning.callbacks": ["Callback"],
    "pytorch_lightning.loggers": ["Logger"],
}

# Below, an argument stands as Class.argument, or alone for all classes. Each says what a library leaves open.

# Text arguments → the texts that are taken.
CHOICES = {
    "reduction": ("none", "mean", "sum"),
    "KLDivLoss.reduction": ("none", "batchmean", "mean", "sum"),
    "Conv1d.padding": ("same", "valid"),
    "Conv2d.padding": ("same", "valid"),
    "Conv3d.padding": ("same", "valid"),
    "GELU.approximate": ("none", "tanh"),
    "EmbeddingBag.mode": ("sum", "mean", "max"),
    "Upsample.mode": ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear"),
    "nonlinearity": ("tanh", "relu"),
    "activation": ("relu", "gelu"),
    "R2Score.multioutput": ("raw_values", "uniform_average", "variance_weighted"),
    "EarlyStopping.mode": ("min", "max"),
    "ModelCheckpoint.mode": ("min", "max"),
    "Timer.interval": ("step", "epoch"),
}
# Numbers → the range that the library takes, or that makes sense; the words are those of `card/naming/thirdparty.py`.
_COUNTS = """
T_0 T_max T_mult d_model dilation embed_dim embedding_dim groups hidden_size in_channels in_features in1_features
in2_features input_size kernel_size n_bins nhead num_channels num_decoder_layers num_embeddings num_encoder_layers
num_features num_groups num_heads num_layers num_outputs num_parameters out_channels out_features step_size
step_size_down step_size_up stride top_k
"""
_DROPOUTS = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout"
_RECALLS = "min_precision min_recall min_sensitivity min_specificity"
RANGES = {
    **dict.fromkeys(_COUNTS.split(), "count"),
    **dict.fromkeys(["num_classes", "num_labels", "n_classes"], "several"),
    **dict.fromkeys(["lr", "max_lr", "swa_lrs", "gamma"], "positive"),
    **dict.fromkeys(
        ["base_lr", "weight_decay", "momentum_decay", "lr_decay", "initial_accumulator_value"], "nonnegative"
    ),
    **dict.fromkeys(["betas", "SGD.momentum", "RMSprop.momentum"], "share"),
    **dict.fromkeys([f"{name}.p" for name in _DROPOUTS.split()], "probability"),
    **dict.fromkeys(["dropout", "label_smoothing", "pct_start", "rho", "max_fpr", *_RECALLS.split()], "probability"),
}
# Arguments without an annotation that their default does not stand for.
TYPES = {
    "zero_division": "float",
    "MultiheadAttention.embed_dim": "int",
    "MultiheadAttention.num_heads": "int",
    "MultiheadAttention.kdim": "int | None",
    "MultiheadAttention.vdim": "int | None",
}
# Arguments that could be written in a card and are not for it.
CLOSED = {
    "params",  # the network's, which Runcard gives
    "device",  # a run has one, which the trainer's keys choose
    "size_average",  # deprecated for `reduction`
    "reduce",  # likewise
    "differentiable",  # for a step that is itself differentiated; a plain one fails
    "last_epoch",  # a resumed schedule's state says it
    "Hardtanh.min_value",  # deprecated for `min_val`
    "Hardtanh.max_value",
    "Transformer.custom_encoder",  # annotated as anything, and must be a network
    "Transformer.custom_decoder",
    "WandbLogger.anonymous",  # deprecated, without effect
}
# **kwargs that go on to another library, or past a constructor: what is known of them.
PASSED_ON = {
    # To RichModelSummary.summarize, the one place that reads any.
    "RichModelSummary": {"header_style": "str"},
    # To torch.utils.tensorboard.SummaryWriter.
    "TensorBoardLogger": {"max_queue": "int", "flush_secs": "int", "filename_suffix": "str"},
    # To wandb.init: those that describe a run and do not change how Lightning writes it.
    "WandbLogger": {
        "entity": "str | None",
        "group": "str | None",
        "job_type": "str | None",
        "notes": "str | None",
        "tags": "list[str] | None",
        "save_code": "bool | None",
    },
}
# Classes that take any number of positional arguments → the class of each.
POSITIONAL = {"Sequential": MODULE}
