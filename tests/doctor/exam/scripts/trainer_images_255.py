"""Digits of 0 to 255 in a small convolutional network, by SGD."""

import numpy as np
import pellucid
from pellucid import Trainer, nn, optim
from sklearn.datasets import load_digits

pellucid.manual_seed(0)
digits = load_digits()
images = (digits.images * 15.9375).astype("float32").reshape(-1, 1, 8, 8)
labels = digits.target
cnn = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(64, 10),
)
trainer = Trainer(cnn, "cross_entropy", optim.SGD(cnn.parameters(), lr=0.1, momentum=0.9))
try:
    trainer.fit(
        (images[:1200], labels[:1200]),
        (images[1200:1500], labels[1200:1500]),
        epochs=4,
        progress=False,
    )
except pellucid.NonFiniteError as error:
    print(error)
cnn.eval()
score = np.mean(cnn(pellucid.tensor(images[1500:])).argmax(1).numpy() == labels[1500:])
print("accuracy", score)
