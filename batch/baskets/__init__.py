"""Next-basket prediction: histories of baskets in, ranked products out; numpy and xgboost, no Spark."""
